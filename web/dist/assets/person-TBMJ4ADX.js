import{j as a,k as b}from"./chunk-MRLR4EQ2.js";import"./chunk-TBIDO4FF.js";import"./chunk-SH63BHP5.js";import"./chunk-EITQPZQF.js";export{a as PersonOfRoom,b as PersonPanel};
