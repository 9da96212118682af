import{j as a,k as b}from"./chunk-G2MH3ERQ.js";import"./chunk-WUSI3Y73.js";import"./chunk-FSOAVDTF.js";import"./chunk-DSV5ELC3.js";export{a as PersonOfRoom,b as PersonPanel};
