import{j as a,k as b}from"./chunk-QMTH7XFN.js";import"./chunk-GJRZL7NZ.js";import"./chunk-7KTHQXKQ.js";import"./chunk-Q6TSXSEU.js";export{a as PersonOfRoom,b as PersonPanel};
